// Copyright The ChatTenant Authors
// SPDX-License-Identifier: Apache-2.0

export { Composer } from './Composer';
export { Field, type FieldProps } from './Field';
export { useId, useObservable, type InputRef, type Observable } from './hooks';
export { BackIcon, CloseIcon, ShieldIcon } from './icons';
export { linesOf, nameIn, type Line, type Mark, type Naming } from './lines';
export { LinkStatus, Status, type StatusProps } from './LinkStatus';
export { jurisdictionName, webAddress } from './place';
export { briefTime, clockTime, dayName } from './times';
export { Transcript } from './Transcript';
export { TypingStatus } from './TypingStatus';
export { usePageVisible } from './visible';
