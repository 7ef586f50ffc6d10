import { Command } from 'commander';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';
import { auditCheckCommand } from './audit-check.js';
import { auditCheckpointCommand, auditKeyCommand } from './audit-checkpoint.js';
import { auditLogCommand } from './audit-log.js';
import { auditProofCommand } from './audit-proof.js';
import { auditVerifyCommand } from './audit-verify.js';

/** `varve audit log|proof|verify|checkpoint|key|check` */
export function auditCommand(run: Run): Command {
  const command = new Command('audit')
    .description('Tells who did what, when and why, and proves what a ref pointed at, to be checked without a server.')
    .addCommand(auditLogCommand(run))
    .addCommand(auditProofCommand(run))
    .addCommand(auditVerifyCommand(run))
    .addCommand(auditCheckpointCommand(run))
    .addCommand(auditKeyCommand(run))
    .addCommand(auditCheckCommand(run));
  return withHelp(
    command,
    [
      'varve audit log --ref tags/v3',
      'varve audit proof --ref tags/v3 --at 2026-11-01 -o v3.tlog-proof',
      'varve audit verify v3.tlog-proof --key varve.pub',
    ],
    [1, 2, 3, 5, 7],
  );
}
