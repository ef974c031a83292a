package main

import (
	"github.com/spf13/cobra"

	"tillway/till"
)

// training puts training mode on and off.
func (a *app) training() *cobra.Command {
	simple := func(use, short string, on *bool) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: args(), RunE: func(c *cobra.Command, _ []string) error {
			cl := a.client()
			defer cl.close()
			var st till.TrainingState
			var err error
			if on == nil {
				err = cl.get(c.Context(), "/v1/training", &st)
			} else {
				err = cl.post(c.Context(), "/v1/training", till.TrainingState{On: *on}, &st)
			}
			if err != nil {
				return err
			}
			return a.showTraining(st)
		}}
	}
	yes, no := true, false
	return group("training", "Training mode: sales for practice, with a pretend card and bank",
		simple("on", "Begin: no card, bank or journal sees what is sold from now on", &yes),
		simple("off", "End it: what is sold from now on is real", &no),
		simple("status", "Show whether it is on", nil),
	)
}

func (a *app) showTraining(st till.TrainingState) error {
	if a.json {
		return a.printJSON(st)
	}
	if st.On {
		a.printf("TRAINING IS ON. Nothing that is sold now is a payment. End it with: pos training off\n")
		return nil
	}
	a.printf("Training is off. What is sold is real.\n")
	return nil
}
