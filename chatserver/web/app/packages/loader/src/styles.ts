// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

/**
 * The loader's look. It reaches the page as a constructed style sheet in a shadow root: the strictest style policy of
 * the embedding site allows that, and neither side's rules touch the other.
 */
export const styles = `
:host { all: initial; }
[hidden] { display: none !important; }
button, .panel { position: fixed; z-index: 2147483000; box-sizing: border-box; }
button {
  bottom: max(16px, env(safe-area-inset-bottom)); inset-inline-end: 16px;
  display: flex; align-items: center; gap: 8px; min-height: 52px; margin: 0; padding: 0 20px;
  border: 1px solid transparent; border-radius: 26px; background: #0b6477; color: #fff; cursor: pointer;
  font: 600 16px/1.2 system-ui, sans-serif; box-shadow: 0 2px 6px #0003, 0 6px 20px #0003; transition: background .15s;
}
button:hover { background: #084d5c; }
button:focus-visible { outline: 3px solid #fff; outline-offset: -6px; box-shadow: 0 0 0 3px #0b6477; }
svg { width: 24px; height: 24px; flex: none; }
b {
  min-width: 22px; padding: 2px 6px; border-radius: 11px; background: #fff; color: #084d5c;
  font-size: 14px; text-align: center;
}
.panel {
  bottom: calc(max(16px, env(safe-area-inset-bottom)) + 64px); inset-inline-end: 16px;
  width: min(384px, calc(100vw - 32px)); height: min(640px, calc(100dvh - 112px)); overflow: hidden;
  border: 1px solid #6f838c; border-radius: 16px; background: Canvas; color: CanvasText; color-scheme: light dark;
  box-shadow: 0 4px 12px #0003, 0 12px 40px #0004; animation: rise .16s ease-out;
}
:host(.start) button, :host(.start) .panel { inset-inline: 16px auto; }
iframe { position: absolute; inset: 0; width: 100%; height: 100%; border: 0; }
p {
  position: relative; min-height: 100%; margin: 0; padding: 24px; background: Canvas;
  font: 16px/1.5 system-ui, sans-serif;
}
a { color: inherit; }
@keyframes rise { from { opacity: 0; transform: translateY(8px); } }
@media (max-width: 480px), (max-height: 480px) {
  .panel, :host(.start) .panel { inset: 0; width: auto; height: auto; border: 0; border-radius: 0; }
  :host(.open) button { display: none; }
}
@media (prefers-reduced-motion: reduce) { .panel { animation: none; } button { transition: none; } }
@media print { :host { display: none; } }
`;
