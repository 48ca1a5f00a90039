package main

import (
	"slices"

	pb "github.com/explaind/explaind/gen/explaind/v1"
)

// inputLayer stands where a layer's name would, for methods that look at the input and at no layer.
const inputLayer = "input"

// layerOf names what an explanation looked at. The server repeats the layer that was asked for, whatever the method is.
func (c *client) layerOf(x *pb.Explanation) string {
	if c.ofInput(x) {
		return inputLayer
	}
	return x.GetLayer()
}

func (c *client) ofInput(x *pb.Explanation) bool {
	return slices.Contains(c.model.GetInputMethods(), x.GetMethod())
}

// distinct leaves out what repeats another explanation: that of a method that looks at no layer, for each of several layers,
// and that of a class that was named twice, by its rank and by its name.
func (c *client) distinct(list []*pb.Explanation) []*pb.Explanation {
	type key struct {
		method pb.Method
		layer  string
		class  int32
	}
	seen := map[key]bool{}
	return slices.DeleteFunc(slices.Clone(list), func(x *pb.Explanation) bool {
		k := key{x.GetMethod(), c.layerOf(x), x.GetTarget().GetClassIndex()}
		again := seen[k]
		seen[k] = true
		return again
	})
}
