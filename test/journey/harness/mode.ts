/**
 * The same journeys run in two modes: against one process on files (the default), and with VARVE_TEST_MODE=cluster
 * against a gateway, a projector and a materializer on Kafka, Redis and S3, which VARVE_TEST_KAFKA, VARVE_TEST_REDIS and
 * VARVE_TEST_S3 say where to find.
 */
export const isCluster = process.env['VARVE_TEST_MODE'] === 'cluster';

/** By how much the watchdogs of long tests wait longer: a cluster is three processes and three servers on one machine. */
export const patience = isCluster ? 4 : 1;

/**
 * For tests of what only one process on its own files has; the reason says what that is. With servers they are skipped,
 * and show: `embedded('a folder has a lock').it('refuses …', …)`.
 */
export function embedded(reason: string): { readonly it: jest.It; readonly describe: jest.Describe } {
  if (!isCluster) return { it, describe };
  const told = (title: unknown) => `${String(title)} (embedded only: ${reason})`;
  return {
    it: ((title: string) => it.skip(told(title), () => undefined)) as unknown as jest.It,
    describe: ((title: string) => it.skip(told(title), () => undefined)) as unknown as jest.Describe,
  };
}
