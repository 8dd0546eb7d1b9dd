// Keep-alive connections, each of which knows whether it ever came about: before that nothing can have been sent on it.
// One that does not come about in time is given up, whatever the system would go on trying.
import { Agent } from 'node:http'
import type { ClientRequestArgs } from 'node:http'
import { Agent as TlsAgent } from 'node:https'
import type { RequestOptions as TlsRequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'

/** A node in the same house answers in a millisecond; this leaves time to repeat a lost first packet. */
const connectMs = 2000
/** A peer whose machine is gone sends nothing more: so long after that the kernel begins to ask. */
const keepAliveProbeMs = 5000
const agentOptions = { keepAlive: true, keepAliveMsecs: keepAliveProbeMs }

const established = new WeakSet<Duplex>()

/** Whether anything can have been sent on it; null: none was ever assigned. */
export function cameAbout(connection: Duplex | null): boolean {
  return connection !== null && established.has(connection)
}

type Created = (error: Error | null, connection: Duplex) => void

export class PlainAgent extends Agent {
  constructor() {
    super(agentOptions)
  }

  override createConnection(options: ClientRequestArgs, created?: Created): Duplex | null | undefined {
    return watched(super.createConnection(options, created), 'connect')
  }
}

export class SecureAgent extends TlsAgent {
  constructor() {
    super(agentOptions)
  }

  override createConnection(options: TlsRequestOptions, created?: Created): Duplex | null | undefined {
    return watched(super.createConnection(options, created), 'secureConnect')
  }
}

function watched(
  connection: Duplex | null | undefined,
  connected: 'connect' | 'secureConnect',
): Duplex | null | undefined {
  if (connection === null || connection === undefined) return connection
  const giveUp = (): void => void connection.destroy(new Error(`no connection within ${connectMs} ms`))
  const timer = setTimeout(giveUp, connectMs)
  connection.once('close', () => clearTimeout(timer))
  connection.once(connected, () => {
    clearTimeout(timer)
    established.add(connection)
  })
  return connection
}
