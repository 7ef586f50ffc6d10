import type { Scheduler } from './scheduler.js';
import type { WishType } from './wish.js';

/** What a run is made of; the seed says. */
export interface Scenario {
  readonly partitionCount: number;
  readonly repositoryCount: number;
  readonly collectorCount: number;
  /** What clients draw their wishes from. */
  readonly wishTypes: readonly WishType[];
  /** Which stores fail: where one does not, others get further. */
  readonly faulty: { readonly log: boolean; readonly graph: boolean; readonly blobs: boolean };
  /** What happens to processes and stores: where some of it does not, the rest gets further. */
  readonly troubles: readonly TroubleKind[];
  /** An answer of the graph that hangs comes within so long; 0: none hangs. */
  readonly hangMsMax: number;
  /** A gateway that freezes goes on within so long. */
  readonly frozenMsMax: number;
}

const troubleKinds = [
  'gateway dies',
  'projector dies',
  'collector dies',
  'gateway freezes',
  'projector freezes',
  'collector freezes',
  'graph goes back',
  'graph is rebuilt',
  'nothing',
] as const;
export type TroubleKind = (typeof troubleKinds)[number];

const ofRefs: readonly WishType[] = ['read', 'move', 'move', 'move', 'commit'];
const ofLayers: readonly WishType[] = ['read', 'move', 'commit', 'layer', 'layer', 'upload', 'hint', 'hint'];

/** Of four runs three are about refs, one about blobs and what collects them: calmer, or nothing is ever collected. */
export function scenarioOf({ pick }: Scheduler): Scenario {
  const hasBlobs = pick(4) === 0;
  const calm = hasBlobs ? 2 : 4;
  return {
    partitionCount: 1 + pick(2),
    repositoryCount: 1 + pick(2),
    collectorCount: hasBlobs ? (pick(3) === 0 ? 2 : 1) : 0,
    wishTypes: hasBlobs ? ofLayers : ofRefs,
    faulty: { log: pick(calm) > 0, graph: pick(calm) > 0, blobs: pick(calm) > 0 },
    troubles: troubleKinds.filter((kind) => kind === 'nothing' || pick(3) > (hasBlobs ? 1 : 0)),
    hangMsMax: hasBlobs && pick(2) > 0 ? 8_000 : 0,
    frozenMsMax: hasBlobs && pick(2) > 0 ? 5_000 : 1_500,
  };
}
