import { LeaseTable, NO_ENTRY } from './lease-table';

const delivery = (n: number): { reply: string; subject: string } => ({
  reply: `$JS.ACK.KANBAN.demo_3.1.${n}.${n}.1764353000000000000.0`,
  subject: `tps.kanban.demo.3.id-${n}`,
});

test('the other side of the memory reads what the main thread wrote', () => {
  const table = LeaseTable.ofCapacity(4);
  const [first, second, third] = [1, 2, 3].map((n) => table.enter(delivery(n)));
  table.open(second!);
  table.open(third!);
  table.start(third!, 1_764_353_012_345);
  const other = new LeaseTable(table.memory);
  const fixed = { type: 'demo', opened: false, started: false, endsAtMs: 0 };
  expect(other.signals()).toEqual([
    { ...fixed, id: 'id-1', ack: delivery(1).reply },
    { ...fixed, id: 'id-2', ack: delivery(2).reply, opened: true },
    {
      ...fixed,
      id: 'id-3',
      ack: delivery(3).reply,
      opened: true,
      started: true,
      endsAtMs: 1_764_353_012_345,
    },
  ]);
  expect(other.running()).toMatchObject({ id: 'id-3' });
  table.pause();
  for (const entry of [first!, third!]) table.leave(entry);
  expect([other.running(), other.signals().map(({ id }) => id)]).toEqual([undefined, ['id-2']]);
});

test('a freed entry is used again, and keeps nothing of the signal before', () => {
  const table = LeaseTable.ofCapacity(1);
  const entry = table.enter({ ...delivery(1), subject: `tps.kanban.demo.3.${'long'.repeat(10)}` });
  table.start(entry, 5);
  table.leave(entry);
  expect(table.enter(delivery(2))).toBe(entry);
  expect(table.signals()).toMatchObject([{ id: 'id-2', started: false, endsAtMs: 0 }]);
});

test('a signal for which there is no room gets no entry, and later calls ignore it', () => {
  const table = LeaseTable.ofCapacity(1);
  const tooLong = table.enter({ ...delivery(1), reply: 'a'.repeat(600) });
  const first = table.enter(delivery(1));
  const second = table.enter(delivery(2));
  expect([tooLong, second]).toEqual([NO_ENTRY, NO_ENTRY]);
  table.open(second);
  table.start(second, 1);
  table.leave(second);
  expect(table.signals()).toMatchObject([{ id: 'id-1', opened: false }]);
  table.leave(first);
  expect(table.enter(delivery(3))).toBe(first);
});

test('beats, notes and the lease are shared', () => {
  const table = LeaseTable.ofCapacity(1);
  const other = new LeaseTable(table.memory);
  table.beat(true);
  table.leaseMs = 2_000;
  other.countNote();
  expect([other.beats, other.isDebugged, other.leaseMs, table.notes]).toEqual([1, true, 2_000, 1]);
});
