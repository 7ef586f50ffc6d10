/** How often the faults of the embedded mode are repeated in one run: VARVE_TEST_ROUNDS, or 20 times. */
export const rounds = Number(process.env['VARVE_TEST_ROUNDS'] || 20);
