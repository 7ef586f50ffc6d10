import { changeConfig } from '#archive/config-change';
import { canonicalJson, type Json } from '#core/canonical-json';
import type { Platform } from '#core/commit';
import { digestOf } from '#core/digest';
import { VarveError } from '#core/error';
import { parseImageConfig } from '#core/image-config';
import { parseInstant } from '#core/instant';
import { mediaType } from '#core/media-type';
import type { RefName, RepositoryName } from '#core/name';
import type { ReceivedLayer } from '#layer/receive-layer';
import { recordImages } from './load-archive.js';
import type { LoadReport } from './load-report.js';
import { LoadStaging } from './load-staging.js';
import type { WriteContext } from './write.js';
import type { LoadStores } from './write-load.js';

/** A root filesystem that becomes an image of one layer. */
export interface RootfsImport {
  /** A tar, plain, gzip or zstd. */
  readonly source: AsyncIterable<Uint8Array>;
  readonly repo: RepositoryName;
  readonly ref: RefName;
  readonly moveTags: boolean;
  /** Dockerfile instructions for the config, see `changeConfig`. */
  readonly changes: readonly string[];
  readonly message: string;
  readonly author: string;
  /** RFC 3339; null: the image says no time. */
  readonly time: string | null;
  readonly platform: Platform;
}

/**
 * Takes a flat root filesystem in as one layer under a config that is made for it, and from there as any image: the
 * same tar, time, message and changes give the same commits, wherever and whenever they are imported.
 * @throws REQUEST_INVALID (a change or a time that is none), and what `loadArchive` throws
 */
export async function importRootfs(
  stores: LoadStores,
  wish: RootfsImport,
  context: WriteContext,
): Promise<LoadReport & { readonly config: string }> {
  // What can be refused is refused before the first byte is read.
  const run = changeConfig({}, wish.changes);
  const created = instantOf(wish.time);
  const staging = new LoadStaging(stores.blobs);
  try {
    const layer = await staging.receive(wish.source);
    const { author, message, platform, repo, ref, moveTags } = wish;
    const { os, architecture, variant } = platform;
    const made = { created, author, comment: message };
    const history = Object.fromEntries(Object.entries(made).filter(([, value]) => value !== ''));
    const bytes = Buffer.from(
      canonicalJson({
        architecture,
        os,
        ...(variant === null ? {} : { variant }),
        ...(author === '' ? {} : { author }),
        ...(created === '' ? {} : { created }),
        config: run as Json,
        history: [history],
        rootfs: { type: 'layers', diff_ids: [layer.diffId] },
      }),
    );
    const configDocument = { path: 'config', digest: digestOf(bytes), bytes };
    const image = {
      type: 'stacked',
      names: [{ text: null, repository: repo, ref }],
      config: parseImageConfig(bytes, 'the config of an import'),
      configDocument,
      configMediaType: mediaType.config,
      manifest: null,
      layers: [layer] as readonly ReceivedLayer[],
    } as const;
    const recorded = await recordImages(stores, { repo, moveTags, images: [image], staging }, context);
    return { ...recorded, bytesRead: layer.sizeBytes, warnings: [], config: configDocument.digest };
  } finally {
    await staging.discard();
  }
}

/** '' where there is none. @throws REQUEST_INVALID */
function instantOf(time: string | null): string {
  if (time === null) return '';
  const instant = parseInstant(time);
  if (typeof instant === 'string') return instant;
  throw new VarveError('REQUEST_INVALID', `"${time}" is not a time: expected RFC 3339, as 2026-01-31T12:00:00Z`, {
    time,
  });
}
