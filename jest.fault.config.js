import base from './jest.config.js';

/**
 * Real servers and real processes with everything going wrong between them: `npm run test:fault`, which says what to
 * install. Not part of `npm test`.
 */
const { displayName: _unit, roots: _roots, testRegex: _regex, ...shared } = base.projects[0];

export default {
  projects: [{ ...shared, displayName: 'fault', roots: ['<rootDir>/test/fault'], testRegex: ['\\.test\\.ts$'] }],
  testTimeout: 300_000,
};
