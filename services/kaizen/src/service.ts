import { type ReplyOf, WIRE_VERSION } from '@tps/contracts';
import { OutcomesLog, TypesView } from '@tps/fleet';
import type { RunningService, ServiceContext, ServiceDefinition } from '@tps/service';
import { type KaizenConfig, variables } from './config';
import { LOSS_WINDOW_MS, LossWindow } from './loss-window';
import { KaizenMetrics } from './metrics';
import { OutcomeCounts } from './outcome-counts';
import { ReportBuilder } from './report-builder';
import { suggestionsFor } from './suggestions';

/** Every reply waits for the log this long, so that a caller finds the outcome counted which it has just received. */
const CATCH_UP_MS = 500;

/** Improve from facts: counts and true percentiles of all outcomes, reports and suggestions. */
export const kaizen: ServiceDefinition<typeof variables> = { name: 'kaizen', variables, start };

async function start(context: ServiceContext<KaizenConfig>): Promise<RunningService> {
  let counts = new OutcomeCounts();
  let losses = new LossWindow();
  const metrics = new KaizenMetrics(context.registry);
  const types = await followTypes(context);
  types.onRetired((type) => metrics.forget(type));
  const log = await OutcomesLog.open(context, {
    spanAttributes: () => ({}),
    onStart: ({ replaced }) => {
      if (!replaced) return;
      counts = new OutcomeCounts();
      losses = new LossWindow();
    },
    onOutcome: (logged) => {
      counts.add(logged);
      losses.add(logged);
      metrics.count(logged);
    },
  });
  const reports = new ReportBuilder(context, () => counts);
  context.endpoint('report', async (request) => {
    await log.caughtUp(CATCH_UP_MS);
    return reports.build(request);
  });
  context.endpoint('suggestions', async () => {
    await log.caughtUp(CATCH_UP_MS);
    return suggestionsReply(losses, types, Date.now());
  });
  return {
    stop: async () => {
      types.close();
      await log.stop();
    },
    problems: () => log.problems(),
    vitals: () => ({
      error_rate: counts.recentErrorRate(Date.now()),
      total: counts.total.processed,
    }),
    board: async () => {
      await log.caughtUp(CATCH_UP_MS);
      return counts.board(log.position, Date.now());
    },
  };
}

function followTypes({ bus, config, log }: ServiceContext): Promise<TypesView> {
  const onError = (error: unknown): void => void log.warn('types', { error });
  return TypesView.open(bus, { replicas: config.TPS_NATS_REPLICAS, onError });
}

/** A retired type gets no suggestions, but its signals stay in the totals. */
function suggestionsReply(losses: LossWindow, types: TypesView, nowMs: number): ReplyOf<'suggestions'> {
  const present = [...losses.byType(nowMs)].filter(([type]) => !types.isRetired(type));
  return {
    v: WIRE_VERSION,
    generated_at: new Date(nowMs).toISOString(),
    from: new Date(nowMs - LOSS_WINDOW_MS).toISOString(),
    items: suggestionsFor(new Map(present)),
  };
}
