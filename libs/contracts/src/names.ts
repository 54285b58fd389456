/**
 * Every name on the broker, in one place: nobody else types a subject, stream or bucket. A request's subject must not
 * fall under a stream's (`tps.andon.*`, `tps.outcomes.>`, `tps.dead.*`): the stream would store and answer it.
 */
export interface Names {
  readonly prefix: string;
  readonly streams: { kanban: string; outcomes: string; dead: string; andon: string };
  readonly buckets: {
    circuits: string;
    stops: string;
    types: string;
    schedule: string;
    cards: string;
    leases: string;
    redrives: string;
  };
  /** RabbitMQ's: where signals go while NATS cannot take them. */
  readonly queues: { backup: string };
  readonly subjects: {
    /** Request: `AdmitRequest[]` -> `1` or `AdmitVerdict[]`. */
    admit: string;
    /** Request: a worker asks for the one permit to try a stopped type. */
    trial: string;
    /** Request: a person starts a line again: close its circuit. */
    resumeCircuit: string;
    /** Requests to andon: pull the cord, acknowledge a call, resume the line, a page of the history. */
    pull: string;
    acknowledge: string;
    resume: string;
    history: string;
    /** Request: `Signal[]` -> `1` or `EnqueueVerdict[]`. */
    enqueue: string;
    /** Request: make sure that the lanes of these types exist. */
    lanes: string;
    /** Request: find an unfinished signal by id. */
    find: string;
    /** Request: remove a signal that has not started. */
    cancel: string;
    /** Requests: a page of the signals that are not finished (kanban), and of those that are (andon). */
    openSignals: string;
    /** Request: which runs of these signals are not finished. */
    openRuns: string;
    finishedSignals: string;
    /** Requests on dead letters: a page of them, one by its signal's id, deleting, running one again. */
    letters: string;
    letter: string;
    purge: string;
    retry: string;
    /** Requests on redrives: begin one, ask for one, list them. */
    redriveStart: string;
    redrive: string;
    redrives: string;
    /** Request: how many cards a type has. */
    cards: string;
    /** Request: how many signals of a type may start per second. */
    rate: string;
    /** Broadcast to all workers with replies: who holds this id, and has it started? */
    workerHolds: string;
    /** Broadcast to all workers with replies: refuse this id from now on. */
    workerRefuse: string;
    /** A worker process listens to its own: where nobody does, its connection is gone. */
    workerAlive: (process: string) => string;
    /** Request: records of signals by id, waiting for a final outcome if asked to. */
    lookup: string;
    /** Request: `{format}` -> a production report, made by kaizen. */
    report: string;
    /** Request: what kaizen would improve. */
    suggestions: string;
    /** Request: the state of a service as its board shows it. */
    board: (service: string) => string;
    /** Published every second by every process. */
    beat: (service: string) => string;
    /** Published every second by kanban: arrivals per lane. */
    arrivals: string;
    outcomeBatch: string;
    outcomeAttempt: (id: string) => string;
    /** Subject of one accepted signal in the stream KANBAN. */
    work: (type: string, priority: number | '*', id: string) => string;
    dead: (type: string) => string;
    andon: (line: string) => string;
  };
}

/**
 * @param prefix put before every name, so that several fleets can share a broker (`TPS_STREAM_PREFIX`)
 */
export function namesFor(prefix = ''): Names {
  const p = (name: string): string => prefix + name;
  return {
    prefix,
    streams: { kanban: p('KANBAN'), outcomes: p('OUTCOMES'), dead: p('DEAD'), andon: p('ANDON') },
    buckets: {
      circuits: p('tps_circuits'),
      stops: p('tps_stops'),
      types: p('tps_types'),
      schedule: p('tps_schedule'),
      cards: p('tps_cards'),
      leases: p('tps_leases'),
      redrives: p('tps_redrives'),
    },
    queues: { backup: p('tps.backup') },
    subjects: {
      admit: p('tps.jidoka.admit'),
      trial: p('tps.jidoka.trial'),
      resumeCircuit: p('tps.jidoka.resume'),
      pull: p('tps.calls.pull'),
      acknowledge: p('tps.calls.acknowledge'),
      resume: p('tps.calls.resume'),
      history: p('tps.calls.history'),
      enqueue: p('tps.kanban.enqueue'),
      lanes: p('tps.kanban.lanes'),
      find: p('tps.kanban.find'),
      cancel: p('tps.kanban.cancel'),
      openSignals: p('tps.kanban.open'),
      openRuns: p('tps.kanban.runs'),
      finishedSignals: p('tps.records.finished'),
      letters: p('tps.kanban.letters'),
      letter: p('tps.kanban.letter'),
      purge: p('tps.kanban.purge'),
      retry: p('tps.kanban.retry'),
      redriveStart: p('tps.redrives.start'),
      redrive: p('tps.redrives.get'),
      redrives: p('tps.redrives.list'),
      cards: p('tps.kanban.cards'),
      rate: p('tps.heijunka.rate'),
      workerHolds: p('tps.worker.holds'),
      workerRefuse: p('tps.worker.refuse'),
      workerAlive: (process) => p(`tps.worker.alive.${process}`),
      lookup: p('tps.records.lookup'),
      report: p('tps.kaizen.report'),
      suggestions: p('tps.kaizen.suggestions'),
      board: (service) => p(`tps.board.${service}`),
      beat: (service) => p(`tps.beat.${service}`),
      arrivals: p('tps.arrivals'),
      outcomeBatch: p('tps.outcomes.batch'),
      outcomeAttempt: (id) => p(`tps.outcomes.attempt.${id}`),
      work: (type, priority, id) => p(`tps.kanban.${type}.${priority}.${id}`),
      dead: (type) => p(`tps.dead.${type}`),
      andon: (line) => p(`tps.andon.${line}`),
    },
  };
}
