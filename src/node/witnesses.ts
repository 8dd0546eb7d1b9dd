// What this disk knows of the disks of the others (DESIGN 6): the highest run seen of each, and, of what each acknowledged
// to us as leader, the newest. A disk can lose its newest writes without a trace that it could see itself; its peers see
// that it has come back with less than it confirmed. What is new goes to disk with the next write there is anyway.
import type { RejectReason } from '../codec/frame.ts'
import type { Introduction } from '../codec/introduction.ts'
import { asIndex, asRun, asTerm } from '../ids.ts'
import type { Incarnation, Index, NodeId, Run, Term } from '../ids.ts'
import type { PeerWitness } from '../storage/log-store.ts'

export class Witnesses {
  readonly #peers: Map<NodeId, PeerWitness>
  #isNews = false

  constructor(stored: readonly PeerWitness[]) {
    this.#peers = new Map(stored.map((witness) => [witness.node, witness]))
  }

  /** Whether a peer that introduces itself so has lost something; null: not that we know. */
  judge({ node, incarnation, run, disk }: Introduction): Extract<RejectReason, 'old_run' | 'lost_data'> | null {
    const known = this.#peers.get(node)
    if (known === undefined || known.incarnation !== incarnation) return null
    if (run < known.run) return 'old_run'
    // What this very run confirmed was not on its disk when it began.
    if (run <= known.ackRun) return null
    // With a higher term it may have truncated rightly what it had confirmed in a lower one (H31).
    if (disk.term < known.ackTerm) return 'lost_data'
    return disk.term === known.ackTerm && disk.lastIndex < known.ackIndex ? 'lost_data' : null
  }

  met(node: NodeId, incarnation: Incarnation, run: Run): void {
    const known = this.#peers.get(node)
    if (known?.incarnation === incarnation && known.run >= run) return
    const ack =
      known?.incarnation === incarnation ? known : { ackTerm: asTerm(0), ackIndex: asIndex(0), ackRun: asRun(0) }
    const { ackTerm, ackIndex, ackRun } = ack
    this.#peers.set(node, { node, incarnation, run, ackTerm, ackIndex, ackRun })
    this.#isNews = true
  }

  /** The run of the peer that we know last has the log of `term` on its disk up to `index`. */
  acknowledged(node: NodeId, term: Term, index: Index): void {
    const known = this.#peers.get(node)
    if (known === undefined) return
    const isNewer = term > known.ackTerm || (term === known.ackTerm && index > known.ackIndex)
    if (!isNewer) return
    this.#peers.set(node, { ...known, ackTerm: term, ackIndex: index, ackRun: known.run })
    this.#isNews = true
  }

  /** To be written with the next batch; null when the disk knows everything. */
  takeNews(): readonly PeerWitness[] | null {
    if (!this.#isNews) return null
    this.#isNews = false
    return [...this.#peers.values()]
  }
}
