// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));

/**
 * What all builds share. Nothing is inlined as a data address, and no script is written into a page: the pages' policy
 * allows the server's own files only.
 * @param {string} outDir
 * @param {NonNullable<import('vite').BuildEnvironmentOptions['rolldownOptions']>} rolldownOptions
 * @returns {import('vite').InlineConfig}
 */
function config(outDir, rolldownOptions) {
  return {
    configFile: false,
    logLevel: 'warn',
    root: packages,
    base: '/',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: false,
      assetsInlineLimit: 0,
      modulePreload: false,
      target: ['chrome111', 'edge111', 'firefox115', 'safari16.4'],
      reportCompressedSize: false,
      rolldownOptions,
    },
  };
}

/**
 * One page with its own assets, so that the widget never carries what only the console needs.
 * @param {string} name
 * @param {string} outDir
 */
export function pageConfig(name, outDir) {
  return config(outDir, {
    input: `${packages}${name}/index.html`,
    output: {
      entryFileNames: `assets/${name}-[hash].js`,
      chunkFileNames: `assets/${name}-[hash].js`,
      assetFileNames: `assets/${name}-[hash][extname]`,
    },
  });
}

/**
 * The one file whose name never changes, because customers' pages name it.
 * @param {string} outDir
 */
export function loaderConfig(outDir) {
  return config(outDir, {
    input: `${packages}loader/src/widget.ts`,
    output: { format: 'iife', entryFileNames: 'widget.js' },
  });
}
