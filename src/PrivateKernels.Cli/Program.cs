Console.WriteLine("pk");
