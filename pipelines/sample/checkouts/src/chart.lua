-- chart.lua: a day's tide as a line of characters, for terminals
-- Copyright (c) 2022 the Altiplano project
-- SPDX-License-Identifier: MIT

local chart = {}

local BLOCKS = { "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" }

--- The smallest and the largest of some heights.
local function range(heights)
  local low, high = math.huge, -math.huge
  for _, height in ipairs(heights) do
    low = math.min(low, height)
    high = math.max(high, height)
  end
  return low, high
end

--- One character for each height. Where the water does not move, all of them are the lowest.
function chart.line(heights)
  local low, high = range(heights)
  local span = high - low
  local drawn = {}
  for number, height in ipairs(heights) do
    local share = span > 0 and (height - low) / span or 0
    drawn[number] = BLOCKS[1 + math.floor(share * (#BLOCKS - 1) + 0.5)]
  end
  return table.concat(drawn)
end

--- The line with its scale: highest and lowest water in metres at its ends.
function chart.labelled(heights)
  local low, high = range(heights)
  return string.format("%.1f m %s %.1f m", low, chart.line(heights), high)
end

return chart
