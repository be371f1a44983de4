// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import jsxA11y from 'eslint-plugin-jsx-a11y';
import reactHooks from 'eslint-plugin-react-hooks';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

// What people write is rendered as text and nothing else, so every way to parse a string as markup or code is closed.
const markupSinks = [
  ...['innerHTML', 'outerHTML', 'srcdoc'].map((property) => ({ property, message: 'Render text as text.' })),
  ...['insertAdjacentHTML', 'createContextualFragment', 'setHTMLUnsafe'].map((property) => ({
    property,
    message: 'Render text as text.',
  })),
  { object: 'document', property: 'write', message: 'Render text as text.' },
];

export default defineConfig(
  globalIgnores(['**/dist/**', '**/node_modules/**']),
  tseslint.configs.strictTypeChecked,
  tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['eslint.config.js'] } } },
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      'no-eval': 'error',
      'no-new-func': 'error',
      'no-script-url': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      complexity: ['error', 12],
      'max-depth': ['error', 3],
      'max-len': ['error', { code: 120 }],
      'max-lines': ['error', 500],
      'max-lines-per-function': ['error', { max: 80, skipComments: true }],
      'no-restricted-properties': ['error', ...markupSinks],
      'no-restricted-syntax': [
        'error',
        { selector: 'JSXAttribute[name.name="dangerouslySetInnerHTML"]', message: 'Render text as text.' },
        { selector: 'JSXAttribute[name.name="style"]', message: 'The pages’ policy forbids inline style.' },
      ],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // An empty name is as good as none.
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
    },
  },
  {
    files: ['**/*.tsx'],
    plugins: { 'jsx-a11y': jsxA11y, 'react-hooks': reactHooks },
    rules: {
      ...jsxA11y.flatConfigs.strict.rules,
      'react-hooks/rules-of-hooks': 'error',
      'react-hooks/exhaustive-deps': 'error',
    },
  },
  { files: ['eslint.config.js'], ...tseslint.configs.disableTypeChecked },
  {
    // Command-line programs talk to their caller through the console.
    files: ['build/**', 'browser/*.mjs', 'e2e-browser.mjs'],
    rules: { 'no-console': 'off' },
  },
  {
    // A test names many small cases inside one describe.
    files: ['**/test/**', 'browser/**/*.test.ts'],
    rules: { 'max-lines-per-function': 'off' },
  },
);
