import t from 'tap'
import { addressText, ConfigError, logLevels, options, readConfig, usage } from '../src/config.ts'

const least = ['--id', 'n1', '--members', 'n1=127.0.0.1:7201,n2=127.0.0.1:7202,n3=127.0.0.1:7203']

t.test('an id and the members are all that is needed', (t) => {
  const config = readConfig(least, {})
  t.match(config, {
    id: 'n1',
    peerListen: { host: '127.0.0.1', port: 7201 },
    http: { host: '127.0.0.1', port: 7100 },
    httpUrl: 'http://127.0.0.1:7100',
    dataFolder: '.holdfast/n1',
    heartbeatMs: 75,
    electionTimeoutMinMs: 500,
    electionTimeoutMaxMs: 1000,
    diskLowBytes: 268_435_456,
    restore: null,
    logLevel: 'info',
  })
  t.same([...config.members.keys()], ['n1', 'n2', 'n3'])
  t.end()
})

t.test('members are in ascending order, however they are written', (t) => {
  const { members } = readConfig(['--id', 'b', '--members', 'c=h:3,b=h:2,a=[::1]:1'], {})
  t.same(
    [...members],
    [
      ['a', { host: '::1', port: 1 }],
      ['b', { host: 'h', port: 2 }],
      ['c', { host: 'h', port: 3 }],
    ],
  )
  t.end()
})

t.test('a variable does what its flag does, and the flag wins', (t) => {
  const environment = {
    HOLDFAST_ID: 'n2',
    HOLDFAST_MEMBERS: least[3],
    HOLDFAST_HTTP: '0.0.0.0:80',
    HOLDFAST_LOG_LEVEL: 'debug',
  }
  t.match(readConfig([], environment), { id: 'n2', http: { host: '0.0.0.0', port: 80 }, logLevel: 'debug' })
  t.match(readConfig(['--id', 'n3', '--log-level', 'warn'], environment), { id: 'n3', logLevel: 'warn' })
  t.end()
})

t.test('the address for others follows from the one listened at unless it is given', (t) => {
  t.equal(readConfig([...least, '--http', '[::1]:7101'], {}).httpUrl, 'http://[::1]:7101')
  t.equal(readConfig([...least, '--http-url', 'https://locks.example.org/'], {}).httpUrl, 'https://locks.example.org')
  // As it will stand in a header.
  t.equal(readConfig([...least, '--http-url', ' http://a.example.org:80/x\n'], {}).httpUrl, 'http://a.example.org/x')
  t.equal(readConfig([...least, '--http-url', 'http://ä.example.org'], {}).httpUrl, 'http://xn--4ca.example.org')
  t.end()
})

t.test('an election timeout that is set moves its upper end, too', (t) => {
  t.match(readConfig([...least, '--election-timeout-min-ms', '2000'], {}), {
    electionTimeoutMinMs: 2000,
    electionTimeoutMaxMs: 4000,
  })
  t.end()
})

t.test('what makes no sense is refused, naming the flag', (t) => {
  const cases: readonly (readonly [flag: string, args: readonly string[]])[] = [
    ['--id', least.slice(2)],
    ['--members', least.slice(0, 2)],
    ['--id', ['--id', 'n9', ...least.slice(2)]],
    ['--members', ['--id', 'n1', '--members', 'n1=h:1,n1=h:2']],
    ['--members', ['--id', 'n1', '--members', 'n1=h:1,n2']],
    ['--members', ['--id', 'n1', '--members', 'n1=h:1=2']],
    ['--members', ['--id', 'n1', '--members', 'n1=h:1,a b=h:2']],
    ['--members', ['--id', 'n1', '--members', `n1=h:1,${'n'.repeat(33)}=h:2`]],
    ['--members', ['--id', 'n1', '--members', Array.from({ length: 10 }, (_, i) => `n${i}=h:${i + 1}`).join()]],
    ['--members', ['--id', 'n1', '--members', 'n1=h:0']],
    ['--http', [...least, '--http', 'localhost']],
    ['--http', [...least, '--http', 'localhost:65536']],
    ['--http', [...least, '--http', '::1:80']],
    ['--http-url', [...least, '--http-url', 'locks.example.org']],
    ['--http-url', [...least, '--http-url', 'ftp://locks.example.org']],
    ['--peer-listen', [...least, '--peer-listen', ':']],
    ['--heartbeat-ms', [...least, '--heartbeat-ms', '9']],
    ['--heartbeat-ms', [...least, '--heartbeat-ms', '7.5']],
    ['--heartbeat-ms', [...least, '--heartbeat-ms', '200']],
    ['--election-timeout-min-ms', [...least, '--election-timeout-min-ms', '-1']],
    ['--election-timeout-max-ms', [...least, '--election-timeout-max-ms', '500']],
    ['--log-level', [...least, '--log-level', 'loud']],
    ['--frobnicate', [...least, '--frobnicate', '1']],
    ['surplus', [...least, 'surplus']],
  ]
  for (const [flag, args] of cases) {
    t.throws(
      () => readConfig(args, {}),
      { name: 'ConfigError', code: 'config', message: new RegExp(flag) },
      args.slice(-2).join(' '),
    )
  }
  t.throws(() => readConfig([], { HOLDFAST_ID: '' }), ConfigError)
  t.end()
})

t.test('every option is explained, with its flag and its variable', (t) => {
  const text = usage()
  for (const { flag, variable, meaning } of options) {
    t.ok(text.includes(`--${flag}  (${variable})`), flag)
    t.ok(meaning.length > 0)
    t.equal(variable, `HOLDFAST_${flag.replaceAll('-', '_').toUpperCase()}`)
  }
  for (const level of logLevels) t.ok(text.includes(level))
  t.end()
})

t.test('an address is written as it is read', (t) => {
  for (const text of ['127.0.0.1:1', '[::1]:65535', 'localhost:80']) {
    t.equal(addressText(readConfig([...least, '--http', text], {}).http), text)
  }
  t.end()
})
