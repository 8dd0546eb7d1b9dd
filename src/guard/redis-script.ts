// The Lua half of the guard in Redis. Redis runs a script alone, so comparing, remembering and writing are one step. What
// a script wrote goes to replicas and to the append-only file together.
//
// Lua's numbers are doubles: they hold every integer up to 2^53 exactly, which is why nothing above is taken for a token.
// What is kept is the text that came, so that it does not depend on how a number is printed.
//
// KEYS[1] is where the highest token is remembered, ARGV[1] the token. The rest is a list of commands, each as the number
// of its words, then the words: 0 and the word itself, or the number of one of the KEYS. So every key that is touched is a
// declared one, which is what Redis Cluster, access lists and the key prefix of a client go by.
export const guardScript = `
local function parse(text)
  if type(text) ~= 'string' or not string.match(text, '^[1-9]%d*$') or #text > 16 then return nil end
  local number = tonumber(text)
  if number > 9007199254740991 then return nil end
  return number
end

local token = parse(ARGV[1])
if not token then return redis.error_reply('HOLDFASTTOKEN a token is an integer from 1 to 2^53 - 1') end
local kept = redis.call('TYPE', KEYS[1]).ok
if kept ~= 'none' then
  local highest = kept == 'string' and parse(redis.call('GET', KEYS[1])) or nil
  if not highest then return redis.error_reply('HOLDFASTDAMAGED ' .. KEYS[1] .. ' holds something that is not a token') end
  if token < highest then return {'stale', redis.call('GET', KEYS[1])} end
end
-- SET takes a time to live away that somebody may have put there. First of all: when a command fails, those after it are
-- not run, those before it have had their effect, and the token stays.
redis.call('SET', KEYS[1], ARGV[1])

local replies = {'admitted'}
local at = 2
while at <= #ARGV do
  local words = {}
  local count = tonumber(ARGV[at])
  at = at + 1
  for n = 1, count do
    local key = tonumber(ARGV[at])
    if key == 0 then at = at + 1 end
    words[n] = key == 0 and ARGV[at] or KEYS[key]
    at = at + 1
  end
  replies[#replies + 1] = redis.call(unpack(words))
end
return replies
`
