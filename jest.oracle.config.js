import base from './jest.config.js';

/** The suites that ask another implementation: `npm run test:oracle`. Not part of `npm test`. */
const { displayName: _unit, roots: _roots, testRegex: _regex, ...shared } = base.projects[0];

export default {
  projects: [{ ...shared, displayName: 'oracle', roots: ['<rootDir>/test/oracle'], testRegex: ['\\.test\\.ts$'] }],
};
