import type { Job } from '#client/job-answer';
import type { Progress } from './progress.js';
import type { Session } from './session.js';

/** Shows how far a job is while `work` waits for it: what it has written, of all that it will. */
export async function showJobs<T>(
  session: Session,
  label: string,
  work: (onJob: (job: Job) => void) => Promise<T>,
): Promise<T> {
  let bar: Promise<Progress> | undefined;
  let doneBytes = 0;
  const onJob = ({ progress }: Job): void => {
    if (progress?.phase !== 'writing') return;
    const added = progress.doneBytes - doneBytes;
    // Another worker begins again; the bar waits for it.
    if (added <= 0) return;
    doneBytes = progress.doneBytes;
    bar ??= session.progress(label, progress.totalBytes);
    void bar.then((shown) => shown.add(added));
  };
  try {
    return await work(onJob);
  } finally {
    (await bar)?.stop();
  }
}
