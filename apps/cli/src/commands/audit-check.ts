import { Command } from 'commander';
import type { AuditCheckLine } from '#client/audit-questions';
import { VarveError } from '#core/error';
import { findingText } from '../finding-text.js';
import { withHelp } from '../help.js';
import type { Run } from '../in-session.js';

/** `varve audit check`: nothing is printed when nothing is wrong; with JSON, the summary comes last. */
export function auditCheckCommand(run: Run): Command {
  const command = new Command('check')
    .description(
      'Holds every record of the event log against the trees over it, and the trees against what was signed of them, as ' +
        'varve fsck does beside much else.',
    )
    .action(
      run(async ({ client, output }) => {
        let summary: Extract<AuditCheckLine, { type: 'summary' }> | undefined;
        for await (const line of client.audit.check()) {
          if (line.type === 'finding') await output.entry(line, findingText);
          if (line.type === 'summary') summary = line;
        }
        if (!summary) return;
        if (output.json) await output.entry(summary, () => '');
        await output.flush();
        const { records, faults } = summary;
        if (faults === 0) return output.note(`checked ${records} records: nothing is wrong`);
        throw new VarveError('CORRUPT', `${faults} faults in ${records} records`, { faults, records });
      }),
    );
  return withHelp(
    command.summary('hold the log against what was signed of it'),
    ['varve audit check', "varve audit check --json | jq -r 'select(.rule).where'"],
    [5, 7],
  );
}
