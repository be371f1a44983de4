// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

import type { RefObject } from 'preact';
import { useEffect, useId, useState } from 'preact/hooks';

export { useId };

export type InputRef = RefObject<HTMLTextAreaElement | null>;

/** Something that changes and says so. */
export interface Observable<T> {
  snapshot(): T;
  subscribe(listener: () => void): () => void;
}

/** Draws again whenever the source changes. */
export function useObservable<T>(source: Observable<T>): T {
  const [, redraw] = useState({});
  useEffect(() => {
    const stop = source.subscribe(() => {
      redraw({});
    });
    // What changed between the first drawing and the subscription.
    redraw({});
    return stop;
  }, [source]);
  return source.snapshot();
}
