/** Every limit in one place, the unit in the name. SPEC 4.5 for the union's, event-log.md 1.6 for the log's. */
export const limit = {
  // The union and the tar reader.
  entriesPerLayerMax: 1_000_000,
  entriesPerTreeMax: 4_000_000,
  pathBytesMax: 4096,
  componentBytesMax: 255,
  depthMax: 1024,
  paxBytesMax: 1 << 20,
  xattrsPerInodeMax: 128,
  xattrNameBytesMax: 255,
  xattrValueBytesMax: 64 << 10,
  xattrBytesPerInodeMax: 1 << 20,
  sparseSegmentsMax: 65_536,
  fileBytesMax: 64 * 2 ** 30,
  layerBytesMax: 128 * 2 ** 30,
  treeBytesMax: 512 * 2 ** 30,
  inflateRatioMax: 200,
  inflateRatioFloorBytes: 64 << 20,
  zstdWindowBytesMax: 128 << 20,
  symlinkHopsMax: 40,
  namesPerInodeLint: 65_000,
  /** Names, link targets and extended attributes of one layer, and of one tree: what an index holds besides rows. */
  layerTextBytesMax: 256 << 20,
  treeTextBytesMax: 1 << 30,
  /** Steps through directories and symlinks to place the entries of one layer; and this many for each entry. */
  walkStepsMax: 10_000_000,
  walkStepsPerEntryMax: 100,

  // Commits and the event log.
  commitBytesMax: 64 << 10,
  commitTextBytesMax: 16 << 10,
  recordBytesMax: 512 << 10,
  /** A record of another log in its wrapping: base64, where it stood, and copies that were known there. */
  importRecordBytesMax: 860 << 10,
  appendBatchBytesMax: 900_000,
  appendBatchRecordsMax: 500,
  /** What became of a transaction is kept for so long at least, by the log's time. */
  outcomesKeptMs: 86_400_000,
  /** A record that is further ahead of a projector's clock is an alarm. */
  aheadMsMax: 300_000,
  refUpdatesPerRecordMax: 1_000,
  ancestryStepsMax: 100_000,
  /** Copies that one fence retires and one round of a collection removes: with names of any length they fit a record. */
  fenceCopiesMax: 3_000,
  /** Copies that the report of a collection lists. */
  collectListMax: 1_000,
  applyRecordsMax: 256,
  /** What one step of the projection changes and reads at most, but for its last record: others wait while it is applied. */
  applyChangesMax: 4_096,
  applyBytesMax: 1 << 20,

  // Names.
  repositoryNameBytesMax: 255,
  refNameBytesMax: 255,
  labelsMax: 256,
  idempotencyKeyBytesMax: 255,

  // Archives and documents.
  documentBytesMax: 4 << 20,
  documentDepthMax: 512,
  archiveEntriesMax: 1_000_000,
  archiveDocumentsBytesMax: 64 << 20,
  archiveImagesMax: 1_000,
  layersPerImageMax: 10_000,
  requestBodyBytesMax: 1 << 20,
  /** A piece of an upload with what stands around it; sixteen may wait to be read. */
  grpcMessageBytesMax: 2 << 20,
  /** Streams of events that one process takes. */
  watchersMax: 256,

  // The audit.
  proofBytesMax: 16 << 20,
  proofAncestryMax: 4_096,
  requestIdBytesMax: 128,

  // Waiting.
  outcomeWaitMs: 5_000,
  minPositionWaitMs: 2_000,
  pageMax: 1_000,
  treePageMax: 10_000,
  treeViewCommitsMax: 100_000,
  messageSearchCommitsMax: 50_000,
} as const;
