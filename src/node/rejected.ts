// What it means for a process that a peer refuses it. Most refusals pass, or are for the operator to read in the log; these
// say that the disk of this node must not take part as it is, and what to do about it.
import type { RejectReason } from '../codec/frame.ts'
import type { Incarnation, NodeId, Run } from '../ids.ts'
import type { Failure } from './host.ts'

export interface Refusal {
  readonly reason: RejectReason
  readonly detail: string
  readonly by: NodeId
  /** Where clients reach who refuses; null when that is not known. */
  readonly httpUrl: string | null
}

/** Who is refused. */
export interface Refused {
  readonly self: NodeId
  readonly incarnation: Incarnation
  readonly run: Run
}

/** Why the process must end; null: it may go on. That a stranger is one is for its caller to judge. */
export function failureOf(
  { reason, detail, by, httpUrl }: Refusal,
  { self, incarnation, run }: Refused,
): Failure | null {
  switch (reason) {
    case 'stranger':
      return {
        code: 'stranger',
        message: `${by} does not know disk ${incarnation} as a member: ${detail}`,
        advice: adviceToReplace(self, incarnation, httpUrl),
      }
    case 'old_run':
      return {
        code: 'old_run',
        message: `${by} has met a later run of disk ${incarnation} than ${run}`,
        advice:
          'Another process uses a copy of this data, or the data is an old copy. Stop the other, or wipe this one.',
      }
    case 'lost_data':
      return {
        code: 'damaged',
        message: `${by} was told that disk ${incarnation} had entries that it has no more: ${detail}`,
        advice: 'It must neither vote nor serve. Move its data folder away and replace the member with an empty one.',
      }
    default:
      return null
  }
}

/** How an operator tells the cluster that the disk of a member was lost. */
function adviceToReplace(self: NodeId, incarnation: Incarnation, httpUrl: string | null): string {
  const call = `curl -X POST ${httpUrl ?? 'http://MEMBER'}/v1/cluster/members/${self}/replace`
  const body = `-H 'content-type: application/json' -d '{"incarnation":"${incarnation}"}'`
  return (
    'The cluster was founded with another disk of this node, and an empty disk must not vote in it. If that disk is lost, ' +
    `tell the cluster and start this node again: ${call} ${body} ` +
    `(for a node of cluster.sh: ./cluster.sh replace ${self.replace(/^n/, '')})`
  )
}
