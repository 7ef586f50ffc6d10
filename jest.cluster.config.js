import base from './jest.config.js';

/**
 * What needs servers: `npm run test:cluster`, which starts them. The contract suites of the server adapters, what happens
 * when servers and processes fail, and the journeys of the embedded mode over again. Not part of `npm test`.
 */
const { displayName: _unit, roots: _roots, testRegex: _regex, ...shared } = base.projects[0];
const folder = (name, testRegex) => ({
  ...shared,
  displayName: name,
  roots: [`<rootDir>/test/${name}`],
  testRegex: [testRegex],
});

export default {
  projects: [
    folder('contract', '\\.(kafka|redis|s3)\\.test\\.ts$'),
    folder('cluster', '\\.test\\.ts$'),
    folder('journey', '\\.test\\.ts$'),
  ],
  testTimeout: 180_000,
};
