import { layerProvenance } from '#layer/layer-provenance';
import { tarballProvenance } from '#materialize/tarball-provenance';
import type { Clock } from '#ports/clock';
import type { Provenance } from '#ports/provenance';
import { packProvenance, treeProvenance } from '#union/tree-provenance';
import type { Engine } from '../engine.js';

/** Of every kind of derived bytes that is swept. What the audit keeps is not: it does not come from layers. */
export function provenancesOf(
  { graph, blobs, layers, jobs }: Pick<Engine, 'graph' | 'blobs' | 'layers' | 'jobs'>,
  clock: Clock,
): readonly Provenance[] {
  return [
    layerProvenance('index', graph),
    layerProvenance('seekable', graph),
    treeProvenance(graph),
    packProvenance({ graph, blobs }, layers.packs),
    tarballProvenance({ queue: jobs, blobs, clock }),
  ];
}
