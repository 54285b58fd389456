import { request, type RequestOptions } from 'node:https';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { Certificate, waitFor } from '@tps/testkit';
import { type GatewayHarness, startGateway } from './testing/harness';
import { tlsOptions } from './tls';

let certificate: Certificate;
beforeAll(async () => (certificate = await Certificate.make()));
afterAll(() => certificate.remove());

describe('with SSL_ENABLED', () => {
  let gateway: GatewayHarness;
  let silent: Socket;
  beforeAll(async () => {
    const files = { SSL_CERT_PATH: certificate.cert, SSL_KEY_PATH: certificate.key };
    gateway = await startGateway({ SSL_ENABLED: 'true', ...files });
    // Now, so that its limit passes during the other tests.
    silent = connectPlain(gateway.port, '127.0.0.1').resume();
  });
  afterAll(() => {
    silent.destroy();
    return gateway.stop();
  });

  function ask(
    options: RequestOptions,
    body = '',
  ): Promise<{ status?: number; headers: NodeJS.Dict<unknown> }> {
    const ca = readFileSync(certificate.cert);
    return new Promise((resolve, reject) => {
      request({ host: '127.0.0.1', port: gateway.port, ca, ...options }, (res) => {
        res.resume();
        resolve({ status: res.statusCode!, headers: res.headers });
      })
        .on('error', reject)
        .end(body);
    });
  }

  function handshake(options: object = {}): Promise<TLSSocket> {
    const ca = readFileSync(certificate.cert);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port: gateway.port, ca, ...options }, () =>
        resolve(socket),
      );
      socket.once('error', reject);
    });
  }

  test('signals go over HTTPS, and browsers are told to keep to it', async () => {
    const body = JSON.stringify({ signal_type: 'execute', payload: {} });
    expect((await ask({ method: 'POST', path: '/signal' }, body)).status).toBe(202);
    const page = await ask({ path: '/' });
    expect(page.headers['strict-transport-security']).toMatch(/^max-age=\d{8}/);
  });

  test('HTTP in the clear gets no answer, TLS before 1.2 no connection', async () => {
    await expect(fetch(`http://127.0.0.1:${gateway.port}/health/live`)).rejects.toThrow();
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' };
    await expect(handshake(old)).rejects.toThrow(/protocol/i);
    const socket = await handshake({ maxVersion: 'TLSv1.2' });
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
  });

  test('a renewed certificate is served without a restart; a broken one is not taken', async () => {
    const serial = async (options = {}): Promise<string> => {
      const socket = await handshake(options);
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serial();
    const good = readFileSync(certificate.cert);
    writeFileSync(certificate.cert, 'broken');
    await certificate.renew();
    const after = (): Promise<boolean> => serial().then((now) => now !== before);
    await waitFor('the renewed certificate', after, { limitMs: 20_000, everyMs: 250 });
    await expect(serial({ ca: good })).rejects.toThrow(/self-signed|unable to verify/);
  });

  test('a client that connects and begins no handshake is cut off', async () => {
    await waitFor('the end of the connection', () => silent.closed, { limitMs: 15_000 });
  });
});

describe('SSL_ENABLED is refused', () => {
  const options = (given: object) => () =>
    tlsOptions({
      SSL_ENABLED: true,
      SSL_CERT_PATH: certificate.cert,
      SSL_KEY_PATH: certificate.key,
      ...given,
    });

  test('without files, with files that cannot be read, and with files that hold no certificate and key', () => {
    expect(options({})).not.toThrow();
    expect(options({ SSL_KEY_PATH: '' })).toThrow(
      /^SSL_KEY_PATH= is not allowed: must be a file while SSL_ENABLED is `true`$/,
    );
    expect(options({ SSL_CERT_PATH: '/nowhere/cert.pem' })).toThrow(
      /^SSL_CERT_PATH=\/nowhere\/cert.pem is not allowed: must be a readable file \(ENOENT\)$/,
    );
    expect(options({ SSL_CERT_PATH: __filename })).toThrow(
      /^SSL_CERT_PATH=.*tls.test.ts with SSL_KEY_PATH=.* is not allowed: must be a PEM certificate and its key/,
    );
  });

  test('with the key of another certificate', async () => {
    const other = await Certificate.make();
    expect(options({ SSL_KEY_PATH: other.key })).toThrow(/must be a PEM certificate and its key/);
    await other.remove();
  });
});
