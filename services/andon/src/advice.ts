import { type Line, parseLine } from '@tps/contracts';
import type { LightRule } from './assessment';
import type { Light } from './light';
import { LINE_RULES, STATION_RULES } from './light-rules';

/** Why a resumed call cannot be resumed again. Resuming does not mend the cause of a light: the answer says what does. */
export function closedReason(line: string, { colour, rule, reason }: Light): string {
  const closed = 'this call was resumed already';
  if (colour === 'GREEN') return closed;
  return `${closed}, and ${line} is still ${colour} (${rule}: ${reason}). ${firstOf(rule, parseLine(line))}`.trim();
}

/** The first thing to do about a light of this rule. */
function firstOf(rule: string, { kind, name }: Line): string {
  const rules: readonly Pick<LightRule<never>, 'rule' | 'first'>[] =
    kind === 'station' ? STATION_RULES : LINE_RULES;
  return rules.find((each) => each.rule === rule)?.first.replace(':type', name) ?? '';
}
