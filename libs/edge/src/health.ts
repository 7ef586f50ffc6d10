/** Whether a process can do its work now; `reason` says why not. */
export interface Readiness {
  readonly status: 'ok' | 'failed';
  readonly reason?: string;
  /** Records of the event log that the graph does not show yet, where that is what the process is for. */
  readonly lag?: number;
}

/** What `/readyz` asks. Never throws. */
export interface Health {
  ready(): Promise<Readiness>;
}

/** The injection token of the health of this process. */
export const HEALTH = Symbol('health');
