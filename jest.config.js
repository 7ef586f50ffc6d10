/** One Jest project for each kind of test; native ESM, compiled by SWC, aliases through package.json "imports". */
const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['source', 'node', 'node-addons'] },
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  modulePathIgnorePatterns: ['<rootDir>/dist'],
};
const folder = (name) => ({
  ...shared,
  displayName: name,
  roots: [`<rootDir>/test/${name}`],
  testRegex: ['\\.test\\.ts$'],
});

export default {
  projects: [
    { ...shared, displayName: 'unit', roots: ['<rootDir>/apps', '<rootDir>/libs'], testRegex: ['\\.spec\\.ts$'] },
    ...['architecture', 'contract', 'fuzz', 'golden', 'journey', 'simulation'].map(folder),
  ],
  // Journeys wait for processes more than they compute.
  maxWorkers: '100%',
  testTimeout: 60_000,
};
