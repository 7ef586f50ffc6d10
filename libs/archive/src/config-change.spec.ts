import { isVarveError } from '#core/error';
import { changeConfig, type RunConfig } from './config-change.js';

const ten = 10_000_000_000;

it.each<[string, readonly string[], RunConfig]>([
  ['CMD as JSON', ['CMD ["/bin/sh", "-l"]'], { Cmd: ['/bin/sh', '-l'] }],
  ['CMD for a shell', ['cmd echo "a b"  c'], { Cmd: ['/bin/sh', '-c', 'echo "a b"  c'] }],
  ['ENTRYPOINT and CMD', ['CMD ["x"]', 'ENTRYPOINT ["/run"]'], { Cmd: ['x'], Entrypoint: ['/run'] }],
  ['ENV in pairs', ['ENV A=1 B="2 3"', "ENV C='$A' D=$A/${B:-x}"], { Env: ['A=1', 'B=2 3', 'C=$A', 'D=1/2 3'] }],
  ['ENV of one name and the rest', ['ENV PATH /bin:/usr/bin and more'], { Env: ['PATH=/bin:/usr/bin and more'] }],
  ['ENV again', ['ENV A=1 B=2', 'ENV A=3'], { Env: ['A=3', 'B=2'] }],
  ['EXPOSE', ['EXPOSE 80 53/udp', 'EXPOSE 8000-8001'], { ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} } }],
  ['HEALTHCHECK', ['HEALTHCHECK --interval=10s --retries=3 CMD curl -f x'], { Healthcheck: { Test: ['CMD-SHELL', 'curl -f x'], Interval: ten, Retries: 3 } }],
  ['HEALTHCHECK of a program', ['HEALTHCHECK --timeout=1m30s CMD ["/ok"]'], { Healthcheck: { Test: ['CMD', '/ok'], Timeout: 9 * ten } }],
  ['no HEALTHCHECK', ['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  ['LABEL', ['LABEL a=1 "b c"="d e"'], { Labels: { a: '1', 'b c': 'd e' } }],
  ['ONBUILD', ['ONBUILD RUN make', 'ONBUILD COPY . /'], { OnBuild: ['RUN make', 'COPY . /'] }],
  ['STOPSIGNAL and USER', ['STOPSIGNAL SIGQUIT', 'USER 1000:1000'], { StopSignal: 'SIGQUIT', User: '1000:1000' }],
  ['VOLUME', ['VOLUME ["/a b"]', 'VOLUME /c /d'], { Volumes: { '/a b': {}, '/c': {}, '/d': {} } }],
  ['WORKDIR, each from the one before', ['WORKDIR /a', 'WORKDIR b/../c'], { WorkingDir: '/a/c' }],
])('%s', (_title, changes, expected) => {
  expect(changeConfig({}, changes)).toEqual(expected);
}); // prettier-ignore

it('keeps what it does not change, but for the command of another entrypoint', () => {
  const before = { Cmd: ['old'], Env: ['A=1'], Tty: true };
  expect(changeConfig(before, ['USER app'])).toEqual({ ...before, User: 'app' });
  expect(changeConfig(before, ['ENTRYPOINT ["/run"]'])).toEqual({ ...before, Entrypoint: ['/run'], Cmd: null });
});

it.each([
  ['RUN make', 'RUN'],
  ['constructor x', 'constructor'],
  ['', 'instruction'],
  ['CMD', 'argument'],
  ['ENV A', 'NAME=VALUE'],
  ['ENV =1', 'NAME=VALUE'],
  ['EXPOSE http', 'http'],
  ['EXPOSE 9-8', '9-8'],
  ['EXPOSE 70000', '70000'],
  ['HEALTHCHECK --interval=x CMD y', 'HEALTHCHECK'],
  ['HEALTHCHECK curl', 'HEALTHCHECK'],
  ['ONBUILD FROM x', 'ONBUILD'],
  ['USER a b', 'one word'],
])('refuses "%s"', (change, says) => {
  let error: unknown;
  try {
    changeConfig({}, [change]);
  } catch (cause) {
    error = cause;
  }
  if (!isVarveError(error, 'REQUEST_INVALID')) throw new Error(`expected a refusal, not ${String(error)}`);
  expect(error.message).toContain(says);
  expect(error.detail).toEqual({ change });
});
