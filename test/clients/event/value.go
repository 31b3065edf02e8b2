package event

import "strconv"

// Value is what the record at an offset of a partition holds: the number that it has
// among all records, which go to the partitions in turn.
func Value(partitions int, partition int32, offset int64) string {
	return strconv.FormatInt(offset*int64(partitions)+int64(partition), 10)
}

// Place is the partition and the offset of the record with a number.
func Place(partitions int, number int64) (partition int32, offset int64) {
	return int32(number % int64(partitions)), number / int64(partitions)
}
