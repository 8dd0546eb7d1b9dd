/** 1 to `count`, each once, in an order that is always the same and that nobody would call one. */
export function shuffledTokens(count: number): number[] {
  const tokens = Array.from({ length: count }, (_, n) => n + 1)
  // A linear congruential generator: what matters is only that high and low tokens meet.
  let state = 1
  for (let n = count - 1; n > 0; n--) {
    state = (state * 48_271) % 2_147_483_647
    const other = state % (n + 1)
    const [one = 0, two = 0] = [tokens[n], tokens[other]]
    tokens[n] = two
    tokens[other] = one
  }
  return tokens
}
