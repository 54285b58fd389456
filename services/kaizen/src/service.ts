import { type SuggestionsReply, WIRE_VERSION } from '@tps/contracts';
import { OutcomesLog, type RunningService, type ServiceContext, type ServiceDefinition } from '@tps/service';
import { type KaizenConfig, kaizenVariables } from './config';
import { Findings, FINDINGS_WINDOW_MS } from './findings';
import { Metrics } from './metrics';
import { ReportDesk } from './report-desk';
import { suggestionsFor } from './suggestions';
import { Tally } from './tally';

/** A caller who has just got an answer sees it counted: the log is ahead of it. */
const CATCH_UP_MS = 500;

/** Improve from facts: counts and true percentiles of everything that was processed. */
export const kaizen: ServiceDefinition<typeof kaizenVariables> = {
  name: 'kaizen',
  variables: kaizenVariables,
  start,
};

async function start(context: ServiceContext<KaizenConfig>): Promise<RunningService> {
  const tally = new Tally();
  const findings = new Findings();
  const metrics = new Metrics(context.registry);
  const log = await OutcomesLog.open(context, {
    spanAttributes: () => ({}),
    onOutcome: (logged) => {
      tally.add(logged);
      findings.add(logged);
      metrics.count(logged);
    },
  });
  const desk = new ReportDesk(context, tally);
  context.endpoint('report', async (request) => {
    await log.caughtUp(CATCH_UP_MS);
    return desk.answer(request);
  });
  context.endpoint('suggestions', async () => {
    await log.caughtUp(CATCH_UP_MS);
    return suggestions(findings, Date.now());
  });
  return {
    stop: () => log.stop(),
    problems: () => log.problems(),
    vitals: () => ({
      error_rate: tally.recentErrorRate(Date.now()),
      total: tally.total.processed,
    }),
    board: async () => {
      await log.caughtUp(CATCH_UP_MS);
      return tally.board(log.position, Date.now());
    },
  };
}

function suggestions(findings: Findings, nowMs: number): SuggestionsReply {
  return {
    v: WIRE_VERSION,
    generated_at: new Date(nowMs).toISOString(),
    from: new Date(nowMs - FINDINGS_WINDOW_MS).toISOString(),
    items: suggestionsFor(findings.of(nowMs)),
  };
}
