/*
Package output compares what one tool printed against two brokers.

[Rules] take out of both texts what differs by its nature, each with its reason; the
rest is compared line by line, see [Lines]. Lines that carry settings or API versions
are compared as facts instead, see [Facts]: those differ as the answers of
test/reference do, and are held against its list of deviations.
*/
package output
