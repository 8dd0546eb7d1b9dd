// The table of `./cluster.sh status`: asks every node for what it knows. Arguments: one `id=url=process` for each node,
// where process says whether its process lives. A node that is down, or does not answer, has a line like any other.
const patienceMs = 1500

const nodes = process.argv.slice(2).map((argument) => {
  const [id, url, state] = argument.split('=')
  return { id, url, state }
})
const header = ['node', 'role', 'term', 'commit', 'applied', 'leader', 'address']
const rows = [header, ...(await Promise.all(nodes.map(rowOf)))]
const widths = header.map((_, column) => Math.max(...rows.map((row) => row[column].length)))
for (const row of rows) {
  console.log(
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  )
}

async function rowOf({ id, url, state }) {
  const unknown = (role) => [id, role, '-', '-', '-', '-', url]
  if (state !== 'alive') return unknown('down')
  try {
    const answer = await fetch(`${url}/v1/cluster`, { signal: AbortSignal.timeout(patienceMs) })
    const { self, members, term, commitIndex, appliedIndex, leader, clusterId } = await answer.json()
    const role = clusterId === null ? 'founding' : members.find((member) => member.id === self).role
    return [id, role, String(term), String(commitIndex), String(appliedIndex), leader ?? 'none', url]
  } catch {
    return unknown('no answer')
  }
}
