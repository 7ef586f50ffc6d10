import type { Scheduler } from './scheduler.js';
import type { WishType } from './simulated-client.js';

/** What a run is made of; the seed says. */
export interface Scenario {
  readonly partitionCount: number;
  readonly repositoryCount: number;
  readonly collectorCount: number;
  /** What clients draw their wishes from. */
  readonly wishTypes: readonly WishType[];
}

const ofRefs: readonly WishType[] = ['read', 'move', 'move', 'move', 'commit'];
const ofLayers: readonly WishType[] = ['read', 'move', 'commit', 'layer', 'layer', 'layer', 'layer'];

/** Half of the runs are about refs, half about blobs and what collects them. */
export function scenarioOf({ pick }: Scheduler): Scenario {
  const hasBlobs = pick(2) === 0;
  return {
    partitionCount: 1 + pick(2),
    repositoryCount: 1 + pick(2),
    collectorCount: hasBlobs ? 1 + pick(2) : 0,
    wishTypes: hasBlobs ? ofLayers : ofRefs,
  };
}
