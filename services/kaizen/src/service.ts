import type { ReportReply, ReportRequest } from '@tps/contracts';
import { OutcomesLog, type RunningService, type ServiceContext, type ServiceDefinition } from '@tps/service';
import { type KaizenConfig, kaizenVariables } from './config';
import { Metrics } from './metrics';
import { ReportDesk } from './report-desk';
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
  const metrics = new Metrics(context.registry);
  const log = await OutcomesLog.open(context, {
    spanAttributes: () => ({}),
    onOutcome: (logged) => {
      tally.add(logged);
      metrics.count(logged);
    },
  });
  const desk = new ReportDesk(context, tally);
  context.endpoint<ReportRequest, ReportReply>(
    'report',
    context.bus.names.subjects.report,
    async (request) => {
      await log.caughtUp(CATCH_UP_MS);
      return desk.answer(request);
    },
  );
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
