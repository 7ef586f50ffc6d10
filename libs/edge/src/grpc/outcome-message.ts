import type { Outcome } from '#core/graph-row';
import type { Outcome as OutcomeMessage } from '#proto/gen/varve/v1/admin';

export function outcomeMessage(outcome: Outcome): OutcomeMessage {
  if (outcome.type === 'rejected') {
    const { code, message: detail } = outcome;
    const value = { code, detail, fieldsJson: JSON.stringify(outcome.detail) };
    return { outcome: { $case: 'rejected', value } };
  }
  const moves = outcome.moves.map(({ commit, ...move }) => ({ ...move, commit: commit ?? undefined }));
  return { outcome: { $case: 'accepted', value: { commits: [...outcome.commits], moves } } };
}
