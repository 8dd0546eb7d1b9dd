// What every node says of the cluster, each asked by itself: the endpoints given, and the members that they name. A node
// that does not answer has its row like any other.
import { isClusterView } from '../client/answers.ts'
import { ExchangeError } from '../client/exchange.ts'
import type { Surroundings } from '../client/surroundings.ts'
import type { ClusterNow } from './connection.ts'
import type { Cell } from './table.ts'

export type NodeNow =
  | { readonly kind: 'answered'; readonly url: string; readonly view: ClusterNow }
  | { readonly kind: 'silent'; readonly url: string; readonly why: string }

/** In the order of the endpoints, then of the members that were only heard of. */
export async function askNodes(
  surroundings: Surroundings,
  asked: { readonly endpoints: readonly string[]; readonly timeoutMs: number },
): Promise<readonly NodeNow[]> {
  const ask = (url: string): Promise<NodeNow> => askNode(surroundings, url, asked.timeoutMs)
  const first = await Promise.all(asked.endpoints.map(ask))
  const answered = new Set(first.flatMap((node) => (node.kind === 'answered' ? [node.view.self] : [])))
  const urls = new Set<string>(asked.endpoints)
  const others = first.flatMap((node) => {
    if (node.kind === 'silent') return []
    return node.view.members.flatMap(({ id, httpUrl }) => {
      if (httpUrl === null || answered.has(id) || urls.has(httpUrl)) return []
      urls.add(httpUrl)
      return [httpUrl]
    })
  })
  return [...first, ...(await Promise.all(others.map(ask)))]
}

async function askNode(surroundings: Surroundings, url: string, timeoutMs: number): Promise<NodeNow> {
  try {
    const { body } = await surroundings.exchange({ endpoint: url, method: 'GET', path: '/v1/cluster', timeoutMs })
    return isClusterView(body) ? { kind: 'answered', url, view: body } : { kind: 'silent', url, why: 'not Holdfast' }
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return { kind: 'silent', url, why: whys[error.kind] }
  }
}

const whys: Readonly<Record<ExchangeError['kind'], string>> = {
  refused: 'down',
  lost: 'broke off',
  silent: 'no answer',
  bad_answer: 'not Holdfast',
  aborted: 'not asked',
}

/** The leader that most of the members of its cluster follow; null when there is none, or nobody knows. */
export function leaderOf(nodes: readonly NodeNow[]): string | null {
  for (const node of nodes) {
    if (node.kind === 'silent' || node.view.leader === null) continue
    const { leader, members, clusterId } = node.view
    const followers = new Set(
      nodes.flatMap((other) =>
        other.kind === 'answered' && other.view.clusterId === clusterId && other.view.leader === leader
          ? [other.view.self]
          : [],
      ),
    )
    // Members that were not asked are believed to follow when the leader reaches them.
    const led = nodes.find((other) => other.kind === 'answered' && other.view.self === leader)
    if (led?.kind === 'answered') for (const { id, reachable } of led.view.members) if (reachable) followers.add(id)
    if (followers.size * 2 > members.length) return leader
  }
  return null
}

export const nodeHeader = ['NODE', 'ROLE', 'TERM', 'LEADER', 'COMMIT', 'APPLIED', 'LOG', 'ADDRESS']

/** A row for each; one that is silent has the name that others know it by. */
export function nodeRows(nodes: readonly NodeNow[]): readonly (readonly Cell[])[] {
  const members = nodes.flatMap((node) => (node.kind === 'answered' ? node.view.members : []))
  return nodes.map((node) => {
    if (node.kind === 'answered') return viewRow(node)
    const id = members.find(({ httpUrl }) => httpUrl === node.url)?.id ?? null
    return [id, node.why, null, null, null, null, null, node.url]
  })
}

function viewRow({ url, view }: Extract<NodeNow, { kind: 'answered' }>): readonly Cell[] {
  const { self, members, term, leader, commitIndex, appliedIndex, log, clusterId } = view
  const role = clusterId === null ? 'founding' : (members.find(({ id }) => id === self)?.role ?? 'unknown')
  return [self, role, term, leader, commitIndex, appliedIndex, bytesText(log.bytes), url]
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const kib = bytes / 1024
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`
}
