package main

import (
	"fmt"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// faithfulnessJSON tells how faithful one map is, with the names of the protocol.
type faithfulnessJSON struct {
	AverageDrop       number `json:"average_drop"`
	Increase          bool   `json:"increase"`
	AverageGain       number `json:"average_gain"`
	MaskedProbability number `json:"masked_probability"`
	DeletionAUC       number `json:"deletion_auc"`
	InsertionAUC      number `json:"insertion_auc"`
	ROAD              number `json:"road"`
}

func jsonFaithfulness(f *pb.Faithfulness) *faithfulnessJSON {
	if f == nil {
		return nil
	}
	return &faithfulnessJSON{
		AverageDrop: number(f.GetAverageDrop()), Increase: f.GetIncrease(), AverageGain: number(f.GetAverageGain()),
		MaskedProbability: number(f.GetMaskedProbability()),
		DeletionAUC:       number(f.GetDeletionAuc()), InsertionAUC: number(f.GetInsertionAuc()), ROAD: number(f.GetRoad()),
	}
}

// String is one line for people.
func (f *faithfulnessJSON) String() string {
	increase := "no increase"
	if f.Increase {
		increase = "increase"
	}
	return fmt.Sprintf("drop %.1f %%, %s, gain %.1f %%, deletion %.3f, insertion %.3f, ROAD %.3f",
		100*f.AverageDrop, increase, 100*f.AverageGain, f.DeletionAUC, f.InsertionAUC, f.ROAD)
}
