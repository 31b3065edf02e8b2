/*
Package record is what `__consumer_offsets` holds: the changes of the states of
groups as typed values, and their form as keys and values of records, which is
that of Apache Kafka 4.3.

[Encode] writes the versions that Kafka 4.3 writes, byte for byte. [Decode] reads
all versions that Kafka has ever written, down to 0.8.2, skips tagged fields that
it does not know, and bytes after the end, as Kafka does. Keys of types that are
not used here, those of share and streams groups among them, become [Other].

The kind of a record is the first field of its key. Strings and counts have
lengths of 16 and 32 bits in keys and in the older values, and compact ones with
tagged fields (KIP-482) in the newer. Each layout is drawn where it is coded, in
values.go and offset.go.

All functions are pure and may be called concurrently. Decode takes nothing for
granted: it checks lengths before it allocates, and a record takes at most some
twenty times its bytes. Its errors wrap [ErrMalformed] or [ErrVersion] and say
which field is to blame.
*/
package record
