import { type Bus, connectBus } from '@tps/bus';
import { NatsServer } from '@tps/testkit';
import { BOARDS } from '../testing/fake-fleet';
import { Boards } from './boards';

describe('boards', () => {
  let server: NatsServer;
  let bus: Bus;
  let asked = 0;
  beforeAll(async () => {
    server = await NatsServer.start();
    bus = await connectBus({ url: server.url, name: 'test' });
    bus.nc.subscribe(bus.names.subjects.board('kaizen'), {
      callback: (_, msg) =>
        void msg.respond(JSON.stringify({ ...BOARDS.kaizen, total_processed: (asked += 1) })),
    });
  });
  afterAll(async () => {
    await bus.close();
    await server.stop();
  });

  test('all metrics of one scrape share one question, and the next scrape soon after asks none', async () => {
    const boards = new Boards(bus);
    const all = await Promise.all([1, 2, 3].map(() => boards.scraped('kaizen')));
    expect(all.map((board) => board?.total_processed)).toEqual([1, 1, 1]);
    expect((await boards.scraped('kaizen'))?.total_processed).toBe(1);
    expect(asked).toBe(1);
  });

  test('a caller that needs the present one asks', async () => {
    const boards = new Boards(bus);
    const [before, now] = [await boards.scraped('kaizen'), await boards.latest('kaizen', 500)];
    expect(now?.fresh).toBe(true);
    expect(now?.board.total_processed).toBe((before?.total_processed ?? 0) + 1);
  });

  test('a scrape while nobody answers gets what was said last, or nothing', async () => {
    const boards = new Boards(bus);
    expect(await boards.scraped('andon')).toBeUndefined();
  });
});
