import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from '@nats-io/transport-node';
import { Line } from './line';
import { endWithParent, floorArguments } from './wire';

/** The gateway of the floor on node:http ("the limit"): express is the largest part of the floor's cost. */
async function main(): Promise<void> {
  endWithParent();
  const { url, httpPort } = floorArguments();
  const line = new Line(await connect({ servers: url, name: 'floor gateway', noAsyncTraces: true }));
  createServer((request, response) => {
    if (request.method !== 'POST' || request.url !== '/signal') return void response.writeHead(404).end();
    readBody(request, (body) => answer(line, body, response));
  }).listen(httpPort, '127.0.0.1');
}

function readBody(request: IncomingMessage, onBody: (body: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => onBody(Buffer.concat(chunks).toString()));
}

function answer(line: Line, body: string, response: ServerResponse): void {
  line.submit(JSON.parse(body) as { signal_type: string; payload: unknown }, (id, done) => {
    const result = done
      ? { success: done.success, signal_id: id, result: done.result }
      : { success: false, code: 'NO_BROKER', signal_id: id };
    const text = JSON.stringify(result);
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
    response.writeHead(done ? 202 : 503, headers).end(text);
  });
}

void main();
