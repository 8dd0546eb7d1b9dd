// One of several workers that all want to lead. Argument: its name.
import { LockClient } from 'holdfast/client'
import { endpoints } from '../endpoints.js'
import { say } from '../processes.js'

const [name] = process.argv.slice(2)
// A short TTL: when the leader is killed, the next one leads after at most two seconds and a bit.
const client = new LockClient({ endpoints, ttlMs: 2000, owner: name, onLost: 'exit' })
const election = client.elect('scheduler', {
  value: { address: `${name}.example:8080` },
  onElected: ({ token, signal }) => {
    say({ leads: token })
    signal.addEventListener('abort', () => say({ leadsNoMore: token }))
  },
})

process.once('SIGTERM', () => void resign())

async function resign() {
  await election.resign()
  await client.close()
  say({ resigned: true })
}
