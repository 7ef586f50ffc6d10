/**
 * The smallest number from 0 on for which the answer is yes, when it is yes for all larger ones; `end` when there is none
 * below it. Asks about twice as often as the answer has binary digits, nearest to 0 first.
 */
export async function firstThat(
  isSo: (n: number) => Promise<boolean>,
  end: number = Number.MAX_SAFE_INTEGER,
): Promise<number> {
  let no = -1;
  let yes = 0;
  while (yes < end && !(await isSo(yes))) {
    no = yes;
    yes = 2 * yes + 1;
  }
  yes = Math.min(yes, end);
  while (yes - no > 1) {
    const middle = no + Math.floor((yes - no) / 2);
    if (await isSo(middle)) yes = middle;
    else no = middle;
  }
  return yes;
}
