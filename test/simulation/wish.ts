import type { VarveError } from '#core/error';
import type { RefName, RepositoryName } from '#core/name';
import type { Position } from '#core/position';
import type { RefValue } from '#core/ref';
import type { SimulatedLayer } from './simulated-layers.js';

export interface Place {
  readonly repo: RepositoryName;
  readonly ref: RefName;
}

/** `layer` is a commit that brings one, `upload` brings one for nothing, `hint` is a commit that names a copy which is there. */
export type WishType = 'move' | 'commit' | 'layer' | 'upload' | 'hint' | 'read';

/** One thing a client wanted, and what it was told in the end. Its name is the reason in the reflog. */
export interface Wish extends Place {
  readonly name: string;
  readonly type: WishType;
  readonly key: string | null;
  readonly expect: RefValue | undefined;
  /** Of a move. */
  readonly to: RefValue['commit'];
  /** What a commit brings. */
  readonly layer: SimulatedLayer | null;
  /** Of a read: of the end of the log, so that it sees whatever was answered before. */
  readonly isCurrent: boolean;
  readonly invoked: number;
  returned: number;
  answer:
    | { readonly type: 'ok'; readonly value: RefValue | null; readonly position: Position }
    | { readonly type: 'refused'; readonly error: VarveError }
    | { readonly type: 'unknown'; readonly txid: string | null; readonly gcEpoch: number };
}
