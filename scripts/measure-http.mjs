// What the HTTP side of a node costs: CPU microseconds per acquire/release, the node behind it replaced by one that answers
// at the end of the turn, beside a bare Fastify that reads the same bodies and writes the same answers. Run it after a
// build: node scripts/measure-http.mjs [seconds]. Two processes: a load process here, the server in a child whose
// own CPU is counted. On a busy machine compare the two figures of one run, never figures of two runs. With CPU_PROF=1
// the servers write profiles.
import { fork } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { fastify } from 'fastify'
import { readJsonBodies } from '../build/src/http/json-body.js'
import { buildServer } from '../build/src/http/server.js'

const here = fileURLToPath(import.meta.url)
const lock = 'orders/1234567'
const path = `/v1/locks/${encodeURIComponent(lock)}`
const connections = 64
const rounds = 9

if (process.send === undefined) await measure(Number(process.argv[2] ?? 1))
else await serve(process.argv[2])

// ---- the servers

async function serve(kind) {
  const app = kind === 'holdfast' ? await holdfast() : await bare()
  await app.listen({ host: '127.0.0.1', port: 0 })
  process.send(app.server.address().port)
  process.on('message', (message) => (message === 'end' ? process.exit(0) : process.send(process.cpuUsage())))
  process.on('disconnect', () => process.exit(0))
}

const granted = (requestId) => ({
  kind: 'granted',
  lock,
  token: 123456,
  session: null,
  requestId,
  mode: 'exclusive',
  sequence: 234567,
  ttlMs: 30000,
  validForMs: 29924,
})
const released = { kind: 'released', lock, token: 123456 }

/** Runs what was given to it at the end of the turn, all at once, as a node answers. */
function turn() {
  let waiting = []
  return (run) => {
    if (waiting.push(run) > 1) return
    setImmediate(() => {
      const due = waiting
      waiting = []
      for (const one of due) one()
    })
  }
}

function holdfast() {
  const later = turn()
  const gone = () => {}
  const replica = {
    leader: 'n2',
    clusterTime: 123456,
    core: { raft: { appliedIndex: 1234567 } },
    call(request) {
      const { command } = request
      const result = command.kind === 'acquire' ? granted(command.requestId) : released
      later(() => request.answer({ kind: 'outcome', index: 1234567, result }))
      return gone
    },
  }
  const setup = { self: 'n1', members: ['n1', 'n2', 'n3'], httpUrl: 'http://127.0.0.1:7101' }
  const peers = { isConnected: () => true, httpUrlOf: () => 'http://127.0.0.1:7102' }
  const node = { setup, founding: null, replica, peers }
  return buildServer(node, { log: console, peerAddresses: new Map(), withProcessMetrics: false })
}

async function bare() {
  const later = turn()
  const app = fastify({ logger: false, routerOptions: { maxParamLength: 1000 } })
  readJsonBodies(app)
  const text = { type: 'string' }
  const integer = { type: 'integer' }
  const all = { lock: text, token: integer, session: { type: ['string', 'null'] }, requestId: text, mode: text }
  const answers = {
    acquire: { ...all, sequence: integer, ttlMs: integer, validForMs: integer },
    release: { lock: text, token: integer, released: { type: 'boolean' } },
  }
  for (const [verb, properties] of Object.entries(answers)) {
    const schema = { response: { 200: { type: 'object', properties } } }
    app.post(`/v1/locks/:lock/${verb}`, { schema }, (request, reply) => {
      const body = verb === 'acquire' ? granted(request.body.requestId) : { ...released, released: true }
      later(() => reply.send(body))
    })
  }
  return app
}

// ---- the load

function post(verb, body) {
  const text = JSON.stringify(body)
  const head = [
    `POST ${path}/${verb} HTTP/1.1`,
    'host: 127.0.0.1',
    'content-type: application/json',
    `content-length: ${text.length}`,
  ]
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${text}`)
}

async function measure(seconds) {
  const requests = [
    post('acquire', { ttlMs: 30000, requestId: 'r-6f9c2b1e-4a0d-4c7e-9a55-3f2f4b7f1f20' }),
    post('release', { token: 123456 }),
  ]
  const servers = []
  for (const kind of ['bare', 'holdfast']) servers.push({ kind, ...(await start(kind)) })
  const figures = new Map(servers.map(({ kind }) => [kind, []]))
  // In turns, so that what else the machine does meets both alike; the first round only warms up.
  for (let round = 0; round <= rounds; round++) {
    for (const { kind, child, port } of servers) {
      const { user, system, count } = await load(child, port, requests, seconds)
      if (round > 0) figures.get(kind).push((user + system) / count)
    }
  }
  for (const { child } of servers) child.send('end')
  for (const [kind, perRequest] of figures) {
    const sorted = perRequest.sort((a, b) => a - b).map((us) => us.toFixed(1))
    console.log(
      `${kind.padEnd(8)}  least ${sorted[0]} us per request, median ${sorted[rounds >> 1]}  (${sorted.join(' ')})`,
    )
  }
}

async function start(kind) {
  const execArgv = process.env.CPU_PROF === undefined ? [] : ['--cpu-prof', `--cpu-prof-name=http-${kind}.cpuprofile`]
  const child = fork(here, [kind], { execArgv })
  return { child, port: await message(child) }
}

function message(child) {
  return new Promise((resolve) => child.once('message', resolve))
}

async function load(child, port, requests, seconds) {
  let count = 0
  const sockets = Array.from({ length: connections }, () => {
    let next = 0
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const send = () => socket.write(requests[next++ % 2])
    socket.on('connect', send)
    socket.on('data', () => {
      count++
      send()
    })
    return socket
  })
  child.send('usage')
  const before = await message(child)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  child.send('usage')
  const after = await message(child)
  for (const socket of sockets) socket.destroy()
  return { user: after.user - before.user, system: after.system - before.system, count }
}
