/**
 * What an extraction made, and what of the tree this machine or user could not hold. Nothing is lost in silence:
 * every count but the first two is said on stderr.
 */
export interface ExtractionReport {
  entries: number;
  bytes: number;
  /** Entries whose owner could not be set: only root may give files away. */
  ownersNotSet: number;
  /** Set-user-id and set-group-id bits left out because the owner could not be set: they would mean another user. */
  setIdsCleared: number;
  /** Devices (and fifos) that could not be made. */
  devicesNotMade: number;
  xattrsNotSet: number;
  /** Times the file system or Node could not take to the nanosecond, or at all. */
  timesNotExact: number;
}

export function emptyReport(): ExtractionReport {
  return {
    entries: 0,
    bytes: 0,
    ownersNotSet: 0,
    setIdsCleared: 0,
    devicesNotMade: 0,
    xattrsNotSet: 0,
    timesNotExact: 0,
  };
}

/** One sentence for each kind of loss; empty when the directory is the tree exactly. */
export function losses(report: ExtractionReport): string[] {
  return [
    loss(report.ownersNotSet, 'owner', 'not set: only root may give files to another user'),
    loss(report.setIdsCleared, 'set-id bit', 'left out, because the owner is not the one the tree names'),
    loss(report.devicesNotMade, 'device', 'not made: that needs root and mknod'),
    loss(report.xattrsNotSet, 'extended attribute', 'not set (not allowed, not supported, or no setfattr here)'),
    loss(report.timesNotExact, 'time', 'not kept to the nanosecond'),
  ].flat();
}

function loss(count: number, thing: string, what: string): string[] {
  return count === 0 ? [] : [`${count} ${thing}${count === 1 ? '' : 's'} ${what}`];
}
