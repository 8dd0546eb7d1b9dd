// What `cluster.sh replace` says to the cluster: that a member has another disk from now on. Asks the nodes in turn, until
// one says that it is done.
//
//   node scripts/cluster-replace.mjs MEMBER INCARNATION URL ..
const [member, incarnation, ...urls] = process.argv.slice(2)
for (const url of urls) {
  try {
    const answer = await fetch(`${url}/v1/cluster/members/${member}/replace`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ incarnation }),
    })
    if (answer.ok) {
      console.log(`${member} has disk ${incarnation} from now on`)
      process.exit(0)
    }
    console.error(`${url}: ${(await answer.json()).detail}`)
  } catch (error) {
    console.error(`${url}: ${error.cause?.message ?? error.message}`)
  }
}
console.error('no node did it; the same may be said again')
process.exit(1)
