// The network in the world of the Raft core: messages under way, in the order of their sending. A link (one direction
// between two members) can be cut, and can be held, so that only a test moves its messages.
import type { NodeId } from '../../src/ids.ts'
import type { Message, Standing } from '../../src/raft/message.ts'

export interface Flight {
  readonly from: NodeId
  readonly to: NodeId
  readonly as: Standing | null
  readonly message: Message
  readonly dueAt: number
}

export interface Network {
  readonly flights: Flight[]
  readonly cut: Set<string>
  readonly held: Set<string>
  latencyMs: number
}

export interface Link {
  readonly from: NodeId
  readonly to: NodeId
}

export function createNetwork(latencyMs: number): Network {
  return { flights: [], cut: new Set(), held: new Set(), latencyMs }
}

export function linkName({ from, to }: Link): string {
  return `${from}->${to}`
}

/** Puts a message on its link. Returns false when the link is cut. */
export function post(network: Network, flight: Flight): boolean {
  if (network.cut.has(linkName(flight))) return false
  network.flights.push(flight)
  return true
}

/** Loses what is on the link and what will be sent into it. */
export function cutLink(network: Network, link: Link): void {
  network.cut.add(linkName(link))
  loseAll(network, (flight) => flight.from === link.from && flight.to === link.to)
}

export function loseAll(network: Network, isLost: (flight: Flight) => boolean): void {
  const kept = network.flights.filter((flight) => !isLost(flight))
  network.flights.splice(0, network.flights.length, ...kept)
}

/** Takes a message off its link. */
export function take(network: Network, flight: Flight): void {
  const position = network.flights.indexOf(flight)
  if (position >= 0) network.flights.splice(position, 1)
}

/** The oldest message that has arrived by `now` on a link that is not held. */
export function nextArrived(network: Network, now: number): Flight | undefined {
  return network.flights.find((flight) => flight.dueAt <= now && !network.held.has(linkName(flight)))
}

/** When the next message arrives by itself. */
export function nextArrivalAt(network: Network): number {
  let at = Infinity
  for (const flight of network.flights) {
    if (flight.dueAt < at && !network.held.has(linkName(flight))) at = flight.dueAt
  }
  return at
}
